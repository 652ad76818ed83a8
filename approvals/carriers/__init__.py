"""The roads by which a message leaves for somebody: mail, Web Push, chat services, webhooks.

Each takes plain values and either returns or raises `CarrierError`. None of them knows rows,
people or tickets, and no error of theirs repeats an address or a secret.
"""
