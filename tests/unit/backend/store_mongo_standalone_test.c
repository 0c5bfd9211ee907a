/* The same tests on a server without transactions, which is what one gets from MongoDB's plain image. */
#define SERVER_VARIABLE "MONGODB_STANDALONE_URI"
#include "tests/unit/backend/store_mongo_test.c"
