"""What is kept of an answer, and who else gets it (protocol section 8); whose it is, is not known here."""
