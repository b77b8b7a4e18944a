"""Which questions does dlkit answer? One recipe a file; nothing shared lives here."""
