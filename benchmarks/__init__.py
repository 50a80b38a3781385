"""How much more the package costs than hand-written code that does the same bytes.

``python -m benchmarks`` runs all cases. Every module here that has cases is an area.
"""
