"""Trials on several machines, or in several processes of one, by Ray.

Nothing else imports Ray, and this room does so only where it is used. The driver stays what it is: it alone writes the
run's folder.
"""
