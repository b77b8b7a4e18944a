"""How are raw columns turned into what a network takes? Fitted on the training split alone."""
