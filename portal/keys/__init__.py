"""What people do here: mint, narrow, rotate and revoke keys; ask for exceptions and decide on them."""
