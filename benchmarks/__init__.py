"""Measurements of what a person waits for. Nothing here is run by the tests."""
