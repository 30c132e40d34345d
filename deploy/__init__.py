"""What turns a clone into a running Atrium: environment, assets, images."""
