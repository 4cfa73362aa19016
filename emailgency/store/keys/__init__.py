"""What only this installation holds: certificates, signing keys, the secret."""
