"""A reader's own folder of photographs: what is in it, what of it can be used, and as what."""
