"""Webhook notifications for the Kahi process supervisor."""
