"""The entry points of containers and of the platform's own drivers.

Command lines are parsed before anything heavy is imported: asking for help costs no more than
starting Python.
"""
