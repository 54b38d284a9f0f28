"""The outermost boundary: errors, settings, files, the clock, and how progress is told.

Owns every touch of disk primitives, of the environment and of the clock. Knows nothing of data, models or
studies, and imports no other room.
"""
