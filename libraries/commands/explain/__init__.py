"""`make explain`: why an account, a pool or a VPC is as it is."""
