"""Migration to the Kahi process supervisor from supervisord and others."""
