"""What providers keep for our callers, and whose it is: they know one account, which all callers share."""
