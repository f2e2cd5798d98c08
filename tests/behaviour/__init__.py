"""Tests of the behavioural report."""
