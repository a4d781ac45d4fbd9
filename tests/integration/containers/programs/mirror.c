/* Reads numbers as numbers, and writes them again; copies everything else, directories too. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void must(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void copy(const char *from, const char *to) {
    struct stat found;
    must(stat(from, &found) == 0, from);
    if (S_ISDIR(found.st_mode)) {
        DIR *folder = opendir(from);
        must(folder != NULL && mkdir(to, 0755) == 0, to);
        for (struct dirent *one; (one = readdir(folder)) != NULL;) {
            if (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0) continue;
            char source[4096], target[4096];
            snprintf(source, sizeof source, "%s/%s", from, one->d_name);
            snprintf(target, sizeof target, "%s/%s", to, one->d_name);
            copy(source, target);
        }
        closedir(folder);
        return;
    }
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    must(in != NULL && out != NULL, to);
    char buffer[65536];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, in)) > 0;) must(fwrite(buffer, 1, n, out) == n, to);
    fclose(in);
    must(fclose(out) == 0, to);
}

int main(int argc, char **argv) {
    for (int nth = 3; nth < argc; nth++) {
        char from[4096], to[4096];
        snprintf(from, sizeof from, "%s/%s", argv[1], argv[nth]);
        snprintf(to, sizeof to, "%s/%s", argv[2], argv[nth]);
        if (strcmp(argv[nth], "i") != 0 && strcmp(argv[nth], "f") != 0) {
            copy(from, to);
            continue;
        }
        FILE *in = fopen(from, "r"), *out = fopen(to, "w");
        must(in != NULL && out != NULL, to);
        if (argv[nth][0] == 'i') {
            long long value;
            must(fscanf(in, "%lld", &value) == 1, from);
            fprintf(out, "%lld\n", value);
        } else {
            double value;
            must(fscanf(in, "%lf", &value) == 1, from);
            fprintf(out, "%.17g\n", value);
        }
        must(fclose(out) == 0, to);
    }
    return 0;
}
