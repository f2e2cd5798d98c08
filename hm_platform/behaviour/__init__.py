"""The behavioural report: how the recommenders behave in the test week, as tests, page and plots.

Plain numpy and Arrow in, numbers and text out; nothing here knows of Dagster or of storage.
"""
