"""Metrics of the gateway: counted in each process, merged over all of them when somebody asks. Pure but for `folder`."""
