"""How is a network trained so that it repeats, resumes and keeps its best weights?"""
