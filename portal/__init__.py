"""The portal where agents are coordinated: the API under test that ships with the project.

It imports nothing of ours, so that what is measured never shares code with what measures.
`python -m portal` starts it alone; `portal.app.create_app` builds it for a server of your own.
"""
