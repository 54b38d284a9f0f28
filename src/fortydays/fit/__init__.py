"""What is learned about a classifier of a reader's own photographs: how far it can be trusted, and what would help.

A head on the features of a pretrained network is cheap to train, so much can be asked of it: whether its confidence is
worth its name, which labels are probably wrong, where it looks, and whether more photographs would help. The answers
are computed here from arrays, without a training framework; :mod:`fortydays.report.fitted` shows them.
"""
