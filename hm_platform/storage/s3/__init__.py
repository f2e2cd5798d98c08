"""Everything in a bucket: tables as Parquet objects, models and pages beside them."""
