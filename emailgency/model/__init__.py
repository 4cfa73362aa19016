"""What the words mean: frozen records, no behaviour beyond reading themselves."""
