"""Which network answers the question? A `Spec` goes in, a `keras.Model` comes out; no dataset is known here."""
