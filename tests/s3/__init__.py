"""An S3 server on loopback for the tests, and a proxy before it that makes things go wrong."""
