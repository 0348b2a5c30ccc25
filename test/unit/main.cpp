// Runs all tests of the binary and ends with one line that a script can read.
#include <cstdio>

#include <gtest/gtest.h>

int main(int argc, char **argv) {
    ::testing::InitGoogleTest(&argc, argv);
    const int status = RUN_ALL_TESTS();
    const ::testing::UnitTest &all = *::testing::UnitTest::GetInstance();
    std::printf("unit: %d passed, %d failed", all.successful_test_count(), all.failed_test_count());
    if (all.skipped_test_count() > 0)
        std::printf(", %d skipped", all.skipped_test_count());
    std::printf("\n");
    return status;
}
