package postgresql_test

func hold() {}
