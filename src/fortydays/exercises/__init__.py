"""Exercises with a judge: what one is, how a reader's file is run apart from everything, and what is wrong with it.

A day's exercises are in its ``exercises.py`` under :mod:`fortydays.lessons`. A reference function there makes the file
to begin with, the solution and the right answers. A typical mistake is a function too. So what is told of a reader's
function is found by comparing numbers, never by reading its source.
"""
