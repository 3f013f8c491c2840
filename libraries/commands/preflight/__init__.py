"""`make preflight`: whether an organization is ready for a deployment."""
