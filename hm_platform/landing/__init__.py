"""The landing zone: what files are there, what is in them, and how data sets get there."""
