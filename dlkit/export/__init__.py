"""How does a trained network leave the house, and how is it proven that each artefact answers as it does?"""
