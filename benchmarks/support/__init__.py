"""What several areas share: formats and their hand-written codecs, cache files, peers."""
