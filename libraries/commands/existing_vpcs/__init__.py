"""VPCs that an organization has already: found in a file, in EC2 or in IPAM, compared with the pools, and kept free."""
