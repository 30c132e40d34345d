"""Where a call goes: policy, choice among deployments, breakers, retries and fallbacks."""
