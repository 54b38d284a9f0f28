"""Datasets: the catalog, where each can be had, their digests and splits.

Owns the cache of datasets and the promise that an array in it is the published one. Hands out training and
validation data openly and the test data sealed.
"""
