"""Recommenders without training: what the model has to beat, and what steps in for it.

A module a baseline; each implements :class:`hm_platform.modelling.recommenders.Recommender` over
whole batches of customers, and is imported without torch. What they share (gathering sparse rows,
ranking, filling) is in :mod:`hm_platform.modelling.ranking`.
"""
