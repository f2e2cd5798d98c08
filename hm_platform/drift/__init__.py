"""Drift: whether a week's purchases, and the features made of them, look as those before it did.

Plain functions from Arrow streams to a small table; Dagster is not known here. What is measured is
declared in ``quantities``, what the numbers mean in ``stability``.
"""
