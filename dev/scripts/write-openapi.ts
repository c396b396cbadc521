import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import { OPENAPI_FILE, openApiDocument } from './openapi-docs.ts';

writeFileSync(join(PROJECT_FOLDER, OPENAPI_FILE), await openApiDocument());
