"""The site: all days and pages of the project as plain HTML files, which open from the disk.

It is made from the published evidence, the lessons and the project's own pages, with the parts of the report. It needs
no server and no network, and asks nothing from outside.
"""
