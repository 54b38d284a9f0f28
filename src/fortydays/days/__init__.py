"""The days: one folder each with the notes to read and the study to run, and the journey that names all forty.

Owns what a day teaches. Nothing else in the program knows a day's content: the other rooms are given the
:class:`~fortydays.study` that a day's ``study.py`` describes.
"""
