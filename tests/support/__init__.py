"""What tests share: bounded waits, real servers, databases of their own, builders."""
