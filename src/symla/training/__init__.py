"""Meta-training: a generation on the device, the loop over generations on the host."""
