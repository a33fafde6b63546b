"""Writing the programs of Kahi for orchestrators that run them on many machines."""
