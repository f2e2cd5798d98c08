"""`make bench-quality`: well-known recommenders and hm_platform on the same past weeks."""
