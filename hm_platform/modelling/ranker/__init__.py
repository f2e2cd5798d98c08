"""The second stage: a network that ranks each customer's candidates.

=================== ===============================================================
pair_features       what is known of a customer with an article: Hamilton functions
inputs              binds a snapshot and candidates to those functions
scaling             features of any distribution -> numbers a network can read
network, losses     the scoring network and the listwise loss
lists               candidates with features and labels, of past weeks, as arrays
metrics             how good an order of lists is
discount            what an article's sales take off its score
lightning, training fits the network to past weeks, scores it on the validation week
recommender         both stages as a ``Recommender``
=================== ===============================================================
"""
