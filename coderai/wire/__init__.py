"""The providers' languages, pure and sync: bytes in, facts and bytes out. One file per wire API."""
