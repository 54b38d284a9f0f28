"""What people see: tables and curves in the terminal, figures, the page of a day, and its notes with their numbers.

Everything here is made from evidence and nothing else. A document is checked once, by
:func:`fortydays.report.results.read_results`, because it may come from anywhere; what follows works on typed values.
"""
