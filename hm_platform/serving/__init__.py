"""Turning a prepared recommender into the published table."""
