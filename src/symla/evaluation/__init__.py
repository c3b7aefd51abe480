"""Meta-testing: frozen meta-parameters live many lifetimes; what comes out are statistics."""
